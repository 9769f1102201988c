import unittest

import app
from assize import testing


class Fixtures(unittest.TestCase):
    def test_they_hold(self):
        testing.check(app.Assessor, "fixtures")


class CheckDigits(unittest.TestCase):
    def test_every_wrong_digit_is_noticed(self):
        for holds, number in [(app.luhn, "4111111111111111"), (app.cpf, "52998224725"), (app.cnpj, "11222333000181")]:
            self.assertTrue(holds(number), number)
            for place, digit in enumerate(number):
                for other in set("0123456789") - {digit}:
                    self.assertFalse(holds(number[:place] + other + number[place + 1 :]), (number, place, other))

    def test_an_iban_is_checked_as_a_whole(self):
        self.assertTrue(app.mod_97("DE89370400440532013000"))
        self.assertFalse(app.mod_97("DE89370400440532013001"))


if __name__ == "__main__":
    unittest.main()
